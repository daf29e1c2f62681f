"""Many questions about many pictures: tasks in, one record each out, resumable after any kind of stop."""
