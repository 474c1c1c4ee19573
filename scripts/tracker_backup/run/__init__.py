"""One run of a job, from the live sources to a published backup."""
