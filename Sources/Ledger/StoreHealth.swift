internal import Synchronization

/// Whether the store can be written, as every thread sees it without a lock.
///
///     begin .... end              a transaction is under way from `begin` on
///     begin .... fail .... recover    refused, until something of size was written again
///
/// A transaction that is under way for longer than its bound counts like one that failed: a disk
/// hangs, or another program holds the lock, and what is spent meanwhile is not known.
final class StoreHealth: Sendable {
    /// Beyond what a busy disk takes for a commit, and short for a caller who waits.
    static let stallNanosMax: UInt64 = 5_000_000_000
    /// The same for work over much of a large store, such as a checkpoint.
    static let longStallNanosMax: UInt64 = 30_000_000_000

    private let refuses = Atomic<Bool>(false)
    /// Monotonic nanoseconds until which a transaction may be under way; 0: none is.
    private let deadline = Atomic<UInt64>(0)

    /// Writer only, like all that changes it.
    func begin(now: UInt64, isLong: Bool = false) {
        let bound = isLong ? Self.longStallNanosMax : Self.stallNanosMax
        deadline.store(now + bound, ordering: .relaxed)
    }

    func end() { deadline.store(0, ordering: .relaxed) }

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
        let deadline = deadline.load(ordering: .relaxed)
        return deadline == 0 || now() <= deadline
    }
}
