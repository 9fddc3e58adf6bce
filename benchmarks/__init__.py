"""One runnable module for each measured claim, printing one JSON line with floor, rival and ours."""
