import CCurl
internal import Synchronization
internal import Threading

/// libcurl's multi interface on one thread: any number of requests at once, connections kept alive.
/// https://curl.se/libcurl/c/libcurl-multi.html
///
/// Redirects are not followed, only http and https are spoken, and answers are read up to a bound:
/// a receiver may be anybody's server.
@safe
public final class HTTPClient: HTTPTransport, @unchecked Sendable {
    // `multi` is used by the client's thread, but for curl_multi_wakeup, which any thread may call.

    public static let responseBytesMax = 64 * 1024

    private struct State {
        var waiting: [Transfer] = []
        var isStopped = false
    }

    private let multi: UnsafeMutableRawPointer
    private let state = Mutex(State())
    private let thread = Mutex<NamedThread?>(nil)
    private let userAgent: String

    /// Requests are sent once `start` was called.
    public init(userAgent: String) {
        self.userAgent = userAgent
        curl_global_init(Int(CURL_GLOBAL_DEFAULT))
        guard let created = unsafe curl_multi_init() else {
            preconditionFailure("BUG: out of memory for an HTTP client")
        }
        unsafe multi = created
    }

    deinit { unsafe curl_multi_cleanup(multi) }

    public func start() {
        thread.withLock { $0 = NamedThread("http-client") { [self] in run() } }
    }

    /// Ends what is under way with `stopped` and joins the thread.
    public func stop() {
        state.withLock { $0.isStopped = true }
        unsafe curl_multi_wakeup(multi)
        thread.withLock { $0.take() }?.join()
    }

    public func send(
        _ request: HTTPClientRequest,
        completion: @escaping @Sendable (HTTPClientOutcome) -> Void
    ) {
        let transfer = Transfer(request, completion)
        let isTaken = state.withLock { state in
            if !state.isStopped { state.waiting.append(transfer) }
            return !state.isStopped
        }
        guard isTaken else { return completion(.failure(.stopped)) }
        unsafe curl_multi_wakeup(multi)
    }

    public static var libraryVersion: String {
        unsafe String(cString: curl_version()).split(separator: " ").first.map(String.init) ?? ""
    }

    private func run() {
        var active: [UnsafeMutableRawPointer: Transfer] = unsafe [:]
        while true {
            let (new, isStopped) = state.withLock { state in
                defer { state.waiting.removeAll() }
                return (state.waiting, state.isStopped)
            }
            for transfer in new {
                guard let easy = unsafe transfer.prepare(userAgent: userAgent) else {
                    transfer.finish(.failure(.badURL))
                    continue
                }
                unsafe curl_multi_add_handle(multi, easy)
                unsafe active[easy] = transfer
            }
            if isStopped { break }
            var running: Int32 = 0
            unsafe curl_multi_perform(multi, &running)
            unsafe finishDone(&active)
            unsafe curl_multi_poll(multi, nil, 0, 1000, nil)
        }
        for unsafe(easy, transfer) in unsafe active {
            unsafe curl_multi_remove_handle(multi, easy)
            transfer.finish(.failure(.stopped))
        }
    }

    private func finishDone(_ active: inout [UnsafeMutableRawPointer: Transfer]) {
        var left: Int32 = 0
        while let message = unsafe curl_multi_info_read(multi, &left) {
            guard unsafe costgauge_curl_is_done(message) != 0,
                let easy = unsafe message.pointee.easy_handle,
                let transfer = unsafe active.removeValue(forKey: easy)
            else { continue }
            let code = unsafe costgauge_curl_result(message)
            var status = 0
            unsafe costgauge_curl_status(easy, &status)
            unsafe curl_multi_remove_handle(multi, easy)
            transfer.finish(transfer.outcome(code, status: status))
        }
    }
}
