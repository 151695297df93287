"""Learning from few samples: tasks drawn as episodes, starts that are meta-learned, adapters, and how they are judged.

    source = TaskSource(samples, EpisodeShape(ways=5, shots=(1,)), seed=0)
    start, adapter = FeatureMap(features=1280, width=256), Prototypes()
    training = MetaTraining(MetaLoss(start, adapter), source, MetaPlan(steps=2000))
    training.run()
    score = evaluate(start, adapter, held_out, episodes=600)

Pure torch and numpy; no Ray, no files but those of a meta-model.
"""
