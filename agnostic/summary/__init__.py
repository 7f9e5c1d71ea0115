"""What a method finds over a data set: importances, dependences, and priors for local methods."""
