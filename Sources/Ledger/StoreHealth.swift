internal import Synchronization

/// Whether the store can be written, as every thread sees it without a lock.
///
///     begin .... end              a transaction is under way from `begin` on
///     begin .... fail .... recover    refused, until something of size was written again
///
/// A transaction that is under way for longer than the bound counts like one that failed: a disk
/// hangs, or another program holds the lock, and what is spent meanwhile is not known.
final class StoreHealth: Sendable {
    /// Beyond what a busy disk takes for a commit, and short for a caller who waits.
    static let stallNanosMax: UInt64 = 5_000_000_000

    private let refuses = Atomic<Bool>(false)
    /// Monotonic nanoseconds; 0: no transaction is under way.
    private let since = Atomic<UInt64>(0)

    /// Writer only, like all that changes it.
    func begin(now: UInt64) { since.store(max(1, now), ordering: .relaxed) }

    func end() { since.store(0, ordering: .relaxed) }

    func fail() {
        refuses.store(true, ordering: .relaxed)
        end()
    }

    /// True when it was refused before.
    func recover() -> Bool {
        guard isRefused else { return false }
        refuses.store(false, ordering: .relaxed)
        return true
    }

    /// Since a transaction failed.
    var isRefused: Bool { refuses.load(ordering: .relaxed) }

    /// - Parameter now: monotonic nanoseconds; asked only while a transaction is under way.
    func isWritable(now: @autoclosure () -> UInt64) -> Bool {
        guard !isRefused else { return false }
        let since = since.load(ordering: .relaxed)
        guard since > 0 else { return true }
        let now = now()
        return now <= since || now - since <= Self.stallNanosMax
    }
}
