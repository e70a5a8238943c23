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

    /// Acknowledgements, repeated notifications, and what each receiver waits for. `round` counts
    /// the repeats of one notification. `gaps` of a source are its longest silences of the last
    /// days in nanoseconds, youngest first.
    public static let delivery = """
        alter table alerts add column acked_ns integer;
        alter table alerts add column acked_by text;
        create index alerts_firing on alerts (starts_ns) where status = 'firing';
        create index alerts_ended on alerts (ends_ns) where status = 'resolved';

        alter table deliveries add column round integer not null default 0;
        drop index deliveries_pending;
        create index deliveries_waiting on deliveries (receiver, seq) where state = 'pending';
        create index deliveries_held on deliveries (receiver, seq) where state = 'held';
        create index deliveries_dead on deliveries (receiver) where state = 'dead';

        create table ingest_sources (
            source text primary key,
            first_ns integer not null,
            last_ns integer not null,
            day integer not null,
            gaps text not null
        ) without rowid;
        """
}
