public import SQLite
internal import Synchronization
internal import Usage

/// Tells whether an alert is silenced at a time. Any thread may ask; changes go through the
/// writer's transactions and are in force once those are committed.
public final class Silences: @unchecked Sendable {
    // `state` has its lock; `pending` belongs to the writer's thread.

    private struct State {
        var configured: [Silence] = []
        var stored: [Silence] = []
    }

    private let state: Mutex<State>
    private var pending: [Silence]?

    public init(configured: [Silence] = []) {
        state = Mutex(State(configured: configured))
    }

    public func configure(_ silences: [Silence]) { state.withLock { $0.configured = silences } }

    /// The silence that covers an alert; nil: it is to be told.
    public func silence(of alert: Alert, now: Int64) -> Silence? {
        state.withLock { state in
            (state.configured + state.stored).first { $0.covers(alert, now: now) }
        }
    }

    /// Those of the file, then those of the API; some may be over.
    public var all: [Silence] { state.withLock { $0.configured + $0.stored } }

    public enum Outcome: Sendable { case done, full }

    public func add(
        _ silence: Silence, in database: borrowing Database, now: Int64
    ) throws(SQLiteError) -> Outcome {
        let stored = pending ?? state.withLock { $0.stored }
        guard stored.lazy.filter({ $0.endsAt > now }).count < Silence.countMax else {
            return .full
        }
        try SilenceTable.insert(silence, into: database)
        pending = stored + [silence]
        return .done
    }

    /// The silence that was there and is not any more.
    public func remove(
        _ id: String, in database: borrowing Database
    ) throws(SQLiteError) -> Silence? {
        guard let known = try SilenceTable.all(in: database).first(where: { $0.id == id }) else {
            return nil
        }
        try SilenceTable.delete(id, from: database)
        try load(from: database)
        return known
    }

    func prune(_ database: borrowing Database, now: Int64) throws(SQLiteError) {
        try SilenceTable.prune(database, now: now)
        try load(from: database)
    }

    func load(from database: borrowing Database) throws(SQLiteError) {
        pending = try SilenceTable.all(in: database)
    }

    func committed() {
        guard let stored = pending else { return }
        pending = nil
        state.withLock { $0.stored = stored }
    }

    func rolledBack() { pending = nil }
}

public enum SilenceSchema {
    /// `silenced_alerts`: alerts that fired while they were silenced and were told to nobody yet.
    public static let tables = """
        create table silences (
            id text primary key,
            match text not null,
            author text not null,
            reason text not null,
            starts_ns integer not null,
            ends_ns integer not null
        ) without rowid;

        create table silenced_alerts (alert text primary key) without rowid;
        """
}
