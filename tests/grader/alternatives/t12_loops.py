"""Plain loops; Python numbers and lists as results."""


def induction_score(weights, ids):
    total, count = 0.0, 0
    for t in range(len(ids)):
        seen = False
        for s in range(t):
            if ids[s] == ids[t]:
                total += float(weights[t][s + 1])
                seen = True
        count += seen
    return total / count if count else 0


def head_importance(loss_without, num_heads):
    rises = []
    for head in range(num_heads):
        rises.append(loss_without(head) - loss_without(None))
    return rises
