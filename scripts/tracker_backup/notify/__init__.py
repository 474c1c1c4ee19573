"""Who is told how scheduled runs end, through Apprise: what is worth telling, in which words, and what came of it."""
