"""What change sets mean and who may say so: tier profiles, datasets, publications, divisions, flows. Pure."""
