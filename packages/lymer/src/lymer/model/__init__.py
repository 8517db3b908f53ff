"""The words of tracing: values without behaviour, shared by every layer."""
