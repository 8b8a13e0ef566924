"""Where an answer can be run or checked: test cases, executions in a sandbox, and the outcomes that join them."""
