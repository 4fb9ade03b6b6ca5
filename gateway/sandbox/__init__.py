"""The sandbox: providers played locally over their real protocols, and a page to text from as a citizen."""
