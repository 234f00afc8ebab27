import numpy as np

import raygrad as rg

g = rg.Builder()
x, y = g.input("x", ("N", 1)), g.input("y", ("N", 1))
u, b, v = g.parameter("u", (1, 32)), g.parameter("b", (32,)), g.parameter("v", (32, 1))
g.output("loss", rg.functions.mse_loss(rg.functions.tanh(x @ u + b) @ v, y))

rng = np.random.default_rng(0)
initial = {"u": rng.normal(size=(1, 32)), "b": rng.normal(size=32), "v": rng.normal(size=(32, 1)) / 6}
optimizer = rg.optimizers.Adam({name: p.astype("float32") for name, p in initial.items()}, rate=0.01)
with rg.local(g) as session:
    for _ in range(300):
        points = rng.uniform(-3, 3, (4, 64, 1)).astype("float32")  # 4 mini-batches of 64 points
        session.put(optimizer.parameters)
        results = session.accumulate([{"x": p, "y": np.sin(p)} for p in points], progress=False)
        optimizer.step(session.gradients(mean=True))
print(f"sin is learnt up to a mean square of {results[-1].outputs['loss']:.5f}")
