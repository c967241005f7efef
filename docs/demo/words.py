"""Counts the words of a text: how many, how many different ones, and the most frequent."""

import collections
import re
import sys

text = open(sys.argv[1], encoding="utf-8").read().lower()
words = re.findall(r"[a-z]+", text)
counts = collections.Counter(words)

print(f"{len(words)} words, {len(counts)} different ones")
for word, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:5]:
    print(f"{count:4}  {word}")
