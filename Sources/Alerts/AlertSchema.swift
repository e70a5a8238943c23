public enum AlertSchema {
    /// Alerts, and the outbox: one row for each receiver that is to be told, written in the
    /// transaction that raised the alert and kept until long after it was delivered.
    public static let version3 = """
        create table alerts (
            id text primary key,
            dedup_key text not null,
            kind text not null,
            status text not null,
            severity text not null,
            title text not null,
            summary text not null,
            starts_ns integer not null,
            ends_ns integer,
            budget text,
            details text,
            resolution text
        ) without rowid;
        create index alerts_by_time on alerts (starts_ns);
        create index alerts_by_key on alerts (dedup_key);

        create table deliveries (
            seq integer primary key autoincrement,
            id text not null unique,
            alert text not null,
            status text not null,
            receiver text not null,
            dedup_key text not null,
            state text not null,
            attempts integer not null default 0,
            created_ns integer not null,
            since_ns integer not null,
            next_ns integer not null,
            ended_ns integer,
            answer integer,
            error text
        );
        create index deliveries_pending on deliveries (seq) where state = 'pending';
        create index deliveries_by_alert on deliveries (alert);
        """
}
