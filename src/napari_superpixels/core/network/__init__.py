"""The CNN that is optimised on one image: model, objective, optimiser loop."""
