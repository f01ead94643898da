drop table lifecycle.mrr_points, lifecycle.dunning, lifecycle.refunds, lifecycle.invoices, lifecycle.subscriptions;
