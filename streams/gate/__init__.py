"""One question for each message: the gate that any SMS gateway asks over HTTP beside itself."""
