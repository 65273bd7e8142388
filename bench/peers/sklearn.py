"""scikit-learn: multi-layer perceptron, linear classifiers, decision tree, and learning curves one by one."""

from functools import partial

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import learning_curve
from sklearn.neural_network import MLPClassifier
from sklearn.tree import DecisionTreeClassifier

from bench import logistic as logistic_workload
from bench import tree as tree_workload
from bench import validation_curve as curves
from bench.mlp import SIZES, Problem


class MLP:
    compile_s = None

    def __init__(self, problem: Problem) -> None:
        if problem.loss != "cross_entropy":
            raise ValueError(f"MLPClassifier has no {problem.loss} loss")
        self._problem = problem
        self._images = problem.inputs.astype(np.float32) / 255
        self._reset()

    def _reset(self) -> None:
        self._classifier = MLPClassifier(
            SIZES[1:-1],
            activation="logistic",
            solver="sgd",
            momentum=0,
            nesterovs_momentum=False,
            alpha=0,
            learning_rate="constant",
            learning_rate_init=self._problem.learning_rate,
            batch_size=self._problem.batch,
            shuffle=True,
            random_state=0,
        )
        # Its arrays exist only after a first step.
        self._train(np.arange(self._problem.batch))
        parameters = self._classifier.coefs_, self._classifier.intercepts_
        for weight, bias, initial in zip(*parameters, self._problem.weights):
            weight[...], bias[...] = initial

    def _train(self, index: np.ndarray) -> float:
        images, labels = self._images[index], self._problem.labels[index]
        self._classifier.partial_fit(images, labels, classes=np.arange(SIZES[-1]))
        return self._classifier.loss_

    def losses(self, order: np.ndarray) -> np.ndarray:
        self._reset()
        return np.array([self._train(index) for index in order])

    def epoch(self) -> None:
        # On the whole set this is one shuffled epoch of mini-batches, as in fit(max_iter=1) with a
        # warm start, without fit's warning that one epoch does not converge.
        self._classifier.partial_fit(self._images, self._problem.labels)


class ValidationCurve:
    """`learning_curve` for every penalty; Newton steps, which converge faster here than the default."""

    compile_s = None

    def __init__(self, problem: curves.Problem) -> None:
        self._problem = problem
        self._splits = [problem.folds.indices(fold) for fold in range(len(problem.folds))]
        self._scoring = "neg_mean_squared_error" if problem.model == "ridge" else "neg_log_loss"

    def _estimator(self, penalty: float) -> Ridge | LogisticRegression:
        if self._problem.model == "ridge":
            return Ridge(alpha=penalty)
        return LogisticRegression(C=1 / penalty, solver="newton-cholesky", tol=1e-6)

    def grid(self) -> np.ndarray:
        problem = self._problem
        curve = partial(
            learning_curve,
            X=problem.inputs,
            y=problem.targets,
            train_sizes=problem.sizes,
            cv=self._splits,
            scoring=self._scoring,
        )
        losses = [-curve(self._estimator(float(penalty)))[2].T for penalty in problem.penalties]
        return np.stack(losses, axis=-1)


class Logistic:
    """SGDClassifier, which takes single examples only."""

    compile_s = None

    def __init__(self, problem: logistic_workload.Problem) -> None:
        if problem.batch != 1:
            raise ValueError(f"SGDClassifier has no batches of {problem.batch}")
        self._problem = problem
        self._targets = problem.targets.astype(int)
        self._reset(shuffle=True)

    def _reset(self, shuffle: bool) -> None:
        rate = self._problem.learning_rate
        self._classifier = SGDClassifier(
            loss="log_loss", alpha=0.0, learning_rate="constant", eta0=rate, random_state=0, shuffle=shuffle
        )

    def losses(self, order: np.ndarray) -> np.ndarray:
        self._reset(shuffle=False)
        losses = [float(np.log(2))]
        for index in order[:, 0]:
            rows = slice(index, index + 1)
            self._classifier.partial_fit(self._problem.inputs[rows], self._targets[rows], classes=(0, 1))
            z = self._classifier.decision_function(self._problem.inputs[order[len(losses) % len(order)]])[0]
            y = self._targets[order[len(losses) % len(order), 0]]
            losses.append(float(np.logaddexp(0, z) - y * z))
        self._reset(shuffle=True)
        return np.array(losses[:-1])

    def epoch(self) -> None:
        self._classifier.partial_fit(self._problem.inputs, self._targets, classes=(0, 1))


class Tree:
    """DecisionTreeClassifier by entropy, with the limits of the problem."""

    def __init__(self, problem: tree_workload.Problem) -> None:
        self._problem = problem
        self.fit()

    def fit(self) -> None:
        options = {"criterion": "entropy", "max_depth": self._problem.max_depth, "random_state": 0}
        self._tree = DecisionTreeClassifier(**options).fit(self._problem.inputs, self._problem.targets)

    def predict(self) -> np.ndarray:
        return self._tree.predict(self._problem.fresh)

    def root_gain(self) -> float:
        tree = self._tree.tree_
        weight, children = tree.weighted_n_node_samples, [tree.children_left[0], tree.children_right[0]]
        return float(tree.impurity[0] - sum(weight[i] * tree.impurity[i] for i in children) / weight[0])


mlp, logistic, tree, validation_curve = MLP, Logistic, Tree, ValidationCurve
