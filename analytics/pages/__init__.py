"""The server-rendered pages: what they read, their forms, and what they do."""
