internal import Budgets
internal import Synchronization
internal import Threading

/// Forecasts read the roll-ups of a month, which takes seconds where there are millions. They are
/// made on a thread of their own, one after the other, and an answer is good for twenty times as
/// long as it took: where they are quick, every question is answered anew.
final class ForecastRuns: Sendable {
    typealias Outcome = Result<[BudgetForecast], APIError>
    typealias Respond = @Sendable (Outcome) -> Void

    /// Questions whose answers are kept; the oldest makes room.
    static let keptMax = 16
    static let goodFor: UInt64 = 20

    private struct Kept {
        let forecasts: [BudgetForecast]
        let at: UInt64
        let nanos: UInt64
    }

    private struct Job {
        let question: String
        let work: @Sendable () -> Outcome
        var waiting: [Respond]
    }

    private struct State {
        var kept: [String: Kept] = [:]
        var jobs: [Job] = []
        var isRunning = false
        var thread: NamedThread?
    }

    private let state = Mutex(State())
    private let now: @Sendable () -> UInt64

    /// - Parameter now: monotonic nanoseconds.
    init(now: @escaping @Sendable () -> UInt64) { self.now = now }

    /// Who asks what somebody else has asked already is answered together with him. False when too
    /// many other questions wait.
    func ask(
        _ question: String, _ work: @escaping @Sendable () -> Outcome,
        respond: @escaping Respond
    ) -> Bool {
        let now = now()
        let answer = state.withLock { state -> Kept?? in
            if let kept = state.kept[question], now < kept.at + kept.nanos * Self.goodFor {
                return .some(kept)
            }
            if let index = state.jobs.firstIndex(where: { $0.question == question }) {
                state.jobs[index].waiting.append(respond)
                return .some(nil)
            }
            guard state.jobs.count < WorkQueue.jobsMax else { return nil }
            state.jobs.append(Job(question: question, work: work, waiting: [respond]))
            if !state.isRunning {
                state.isRunning = true
                state.thread?.join()
                state.thread = NamedThread("forecast") { [self] in run() }
            }
            return .some(nil)
        }
        guard let answer else { return false }
        if let kept = answer { respond(.success(kept.forecasts)) }
        return true
    }

    private func run() {
        while true {
            let job = state.withLock { state in
                if state.jobs.isEmpty { state.isRunning = false }
                return state.jobs.first
            }
            guard let job else { return }
            let started = now()
            let outcome = job.work()
            let ended = now()
            let waiting = state.withLock { state in
                if case .success(let forecasts) = outcome {
                    state.kept[job.question] = Kept(
                        forecasts: forecasts, at: ended, nanos: ended &- started)
                    if state.kept.count > Self.keptMax,
                        let oldest = state.kept.min(by: { $0.value.at < $1.value.at })
                    {
                        state.kept[oldest.key] = nil
                    }
                }
                // Some may have joined meanwhile.
                return state.jobs.removeFirst().waiting
            }
            for respond in waiting { respond(outcome) }
        }
    }
}
