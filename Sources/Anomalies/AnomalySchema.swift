public enum AnomalySchema {
    /// `snapshot_windows`: every frozen window of every width with its complete mark, and what came
    /// after it was frozen. `snapshots`: the spend of each series in it; no row is no spend.
    /// `open_windows`: those not yet frozen, as of the ledger's last checkpoint.
    ///
    /// `anomaly_series`: the detectors' states as of the last frozen window, in its transaction.
    public static let version4 = """
        create table anomaly_meta (
            key text primary key, value text not null
        ) without rowid;

        create table anomaly_series (
            dimension text not null, name integer not null,
            since integer not null, last_spend integer not null, new_until integer not null,
            state blob not null, surge blob not null, days blob, price blob,
            primary key (dimension, name)
        ) without rowid;

        create table open_windows (
            start integer primary key, sums blob not null
        );

        create table snapshot_windows (
            width integer not null, start integer not null, complete integer not null,
            frozen_ns integer not null, events integer not null, cost_nanousd integer not null,
            late_events integer not null default 0, late_nanousd integer not null default 0,
            primary key (width, start)
        ) without rowid;

        create table snapshots (
            width integer not null, start integer not null, dimension text not null,
            name integer not null, events integer not null, cost_nanousd integer not null,
            largest_nanousd integer not null, tokens integer not null,
            primary key (width, start, dimension, name)
        ) without rowid;

        create table anomalies (
            id integer primary key, kind text not null, dimension text not null,
            value text not null, name integer not null, grade integer not null,
            status text not null, horizon integer not null, last_seen integer not null,
            start integer not null, detected_ns integer not null, ends_ns integer,
            observed_nanousd integer not null, expected_nanousd integer not null,
            ratio_mille integer not null, span integer not null,
            title text not null, summary text not null, top text not null,
            silence text, cause integer,
            acknowledged_ns integer, acknowledged_by text, note text, snoozed_until_ns integer
        );
        create index anomalies_by_series on anomalies (dimension, value, kind);

        create table anomaly_counts (
            kind text not null, grade integer not null, count integer not null,
            primary key (kind, grade)
        ) without rowid;
        """
}
