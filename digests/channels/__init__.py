"""How editions leave: letters, feeds, chats and webhooks."""
