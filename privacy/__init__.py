"""Personal data and secrets out, before anything is stored or sent: scrubbing, pseudonyms, a second scan."""
