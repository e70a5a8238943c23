internal import Synchronization

/// A thread that sleeps until there is work to do beside somebody else's. It is kept: a new one
/// starts on the processor of who makes it, and waits there until that one is done.
public final class SideThread: Sendable {
    private let post = Post()
    /// Nil: the system had no room for another thread.
    private let thread: NamedThread?

    public init(_ name: String) {
        thread = NamedThread(ifThereIsRoom: name) { [post] in post.serve() }
    }

    deinit {
        post.give(.end)
        thread?.join()
    }

    /// Does two pieces of work at the same time, `other` on this thread and `first` on the
    /// caller's, or one after the other when there is no thread. For one caller at a time.
    public func run<First, Other: Sendable>(
        other: @escaping @Sendable () -> Other, first: () -> First
    ) -> (first: First, other: Other) {
        guard thread != nil else { return (first(), other()) }
        let place = Place<Other>()
        post.give(.work { place.made.withLock { $0 = other() } })
        let made = first()
        post.done.wait()
        guard let besides = place.made.withLock({ $0.take() }) else {
            preconditionFailure("BUG: work that is done has made nothing")
        }
        return (made, besides)
    }
}

/// Where the thread gets its work.
private final class Post: Sendable {
    enum Order {
        case work(@Sendable () -> Void)
        case end
    }

    private let order = Mutex<Order?>(nil)
    private let given = WakeSignal()
    let done = WakeSignal()

    func give(_ next: Order) {
        order.withLock { $0 = next }
        given.notify()
    }

    func serve() {
        while true {
            given.wait()
            guard perform() else { return }
            done.notify()
        }
    }

    /// False: the end. What the work held on to is let go before anybody hears that it is done.
    private func perform() -> Bool {
        switch order.withLock({ $0.take() }) {
        case .work(let work):
            work()
            return true
        case .end: return false
        case nil: preconditionFailure("BUG: woken without an order")
        }
    }
}

private final class Place<Value: Sendable>: Sendable {
    let made = Mutex<Value?>(nil)
}
