"""Scenarios of containers: see `scenarios`."""

from __future__ import annotations

from collections import OrderedDict

from tests.nn.modules.scenarios import outcomes, scenario


@scenario
def sequential(torch):
    nn = torch.nn
    one = lambda: nn.Sequential(nn.ReLU())
    two = lambda: nn.Sequential(nn.ReLU(), nn.Tanh())

    def repeated():
        made = one()
        made *= 2
        return made

    def shortened():
        made = two()
        del made[0:1]
        return made

    def replaced():
        made = two()
        made[-1] = nn.SELU()
        return made

    return outcomes(
        lambda: nn.Sequential(3), lambda: one()[2], lambda: one() * 2, lambda: 2 * one(),
        lambda: one() * 0, lambda: one() * "a", lambda: one() + 3, lambda: one() + two(),
        lambda: one().insert(3, nn.ReLU()), lambda: one().insert(-1, nn.Tanh()),
        lambda: one().append(3), lambda: one().extend([nn.Tanh()]), lambda: two().pop(0),
        lambda: two()[::-1], lambda: two()[-1], lambda: len(two()), repeated, shortened, replaced,
        lambda: nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Tanh())),
        lambda: nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Tanh()))[1:],
        lambda: nn.Sequential(OrderedDict(a=nn.ReLU())).a, lambda: nn.Sequential([nn.ReLU()]),
        lambda: nn.Sequential(), lambda: "0" in dir(one()),
        lambda: nn.Sequential(two(), nn.Identity()),
    )  # fmt: skip


@scenario
def module_list(torch):
    nn = torch.nn
    made = lambda: nn.ModuleList([nn.ReLU(), nn.Tanh()])

    def edited():
        found = made()
        found[-1] = nn.SELU()
        found.insert(0, nn.Identity())
        del found[1]
        found += [nn.ReLU()]
        return [found, found.pop(0), found]

    return outcomes(
        lambda: made()[4], lambda: made()[-1], lambda: nn.ModuleList(4), lambda: made()[:1],
        lambda: made() + [nn.GELU()], lambda: made()(3), lambda: nn.ModuleList(), edited,
        lambda: made().append(nn.ReLU()), lambda: made().extend(3), lambda: len(made()),
        lambda: nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Sequential(nn.Tanh(), nn.Tanh())]),
        lambda: [type(m).__name__ for m in made()], lambda: made().append(3),
        lambda: nn.ModuleList([nn.Linear(1, 1) for _ in range(3)]),
    )  # fmt: skip


@scenario
def module_dict(torch):
    nn = torch.nn
    made = lambda: nn.ModuleDict({"b": nn.ReLU(), "a": nn.Tanh()})

    def edited():
        found = made()
        found["c"] = nn.SELU()
        del found["b"]
        found.update([("d", nn.Identity())])
        return [found, found.pop("a"), list(found.keys()), "c" in found, len(found)]

    return outcomes(
        made, edited, lambda: made()["x"], lambda: nn.ModuleDict(3),
        lambda: nn.ModuleDict([(1, 2, 3)]),
        lambda: nn.ModuleDict({"forward": nn.ReLU()}), lambda: list(made()),
        lambda: [name for name, _ in made().items()], lambda: made().clear(),
        lambda: nn.ModuleDict(made()), lambda: nn.ModuleDict(OrderedDict(z=nn.ReLU())),
    )  # fmt: skip


@scenario
def parameter_list(torch):
    nn = torch.nn
    made = lambda: nn.ParameterList([torch.ones(2), nn.Parameter(torch.ones(3))])

    def edited():
        found = made()
        found.append(torch.zeros(1))
        found.append("text")
        found[0] = torch.zeros(2, 2)
        found += [nn.Parameter(torch.ones(1))]
        return [found, len(found), list(found.state_dict()), found[3], found[-1]]

    return outcomes(
        made, edited, lambda: made()[3], lambda: made()[-1:], lambda: made()(3),
        lambda: nn.ParameterList(torch.ones(1)), lambda: nn.ParameterList(),
        lambda: [type(p).__name__ for p in made()], lambda: nn.ParameterList(3),
    )  # fmt: skip


@scenario
def parameter_dict(torch):
    nn = torch.nn
    one = torch.ones(1)
    made = lambda: nn.ParameterDict({"b": one, "a": 3})

    def edited():
        found = made()
        found["c"] = nn.Parameter(torch.zeros(2))
        found.setdefault("d", one)
        return [
            found, found.pop("b"), list(found), found.get("x"), found.popitem()[0],
            list(reversed(found)), list(found.copy().keys()), list(found.state_dict()),
        ]  # fmt: skip

    return outcomes(
        made, edited, lambda: made()["x"], lambda: made()[3], lambda: nn.ParameterDict(5),
        lambda: nn.ParameterDict([("a", one), ("0", one)]), lambda: made() | {"c": one},
        lambda: {"c": one} | made(), lambda: nn.ParameterDict({"keys": one}),
        lambda: made()(3), lambda: made().fromkeys(["x", "y"], one), lambda: "b" in made(),
        lambda: len(made()), lambda: list(nn.ParameterDict(OrderedDict(z=one, y=one))),
    )  # fmt: skip
