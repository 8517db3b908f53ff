"""When: queues, caches and workers that gather, plan and carry plans out."""
