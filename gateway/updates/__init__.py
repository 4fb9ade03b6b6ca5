"""Case updates: what agencies say of a case, from the topic and from the API, brought to the citizen."""
