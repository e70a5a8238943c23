internal import Synchronization

/// Begins work that tells its answer once, on any thread, and sleeps until then. For threads that
/// have nothing else to do meanwhile.
public func waitForAnswer<Answer: Sendable>(
    _ begin: (_ tell: @escaping @Sendable (Answer) -> Void) -> Void
) -> Answer {
    let told = WakeSignal()
    let answer = Mutex<Answer?>(nil)
    begin { value in
        answer.withLock { $0 = value }
        told.notify()
    }
    while true {
        told.wait()
        if let value = answer.withLock({ $0 }) { return value }
    }
}
