"""Speed as ratios against a peer, measured in one run. See README.md for the rules of fair play."""
