"""How the offline stand-in plans: from a conversation to tool calls and answers, by rule. Text in, values out."""
