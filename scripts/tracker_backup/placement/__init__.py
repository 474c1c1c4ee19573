"""The program in containers of the stack: what Compose is told, the entry point, and helpers of the orchestrator."""
