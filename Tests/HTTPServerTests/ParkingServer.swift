import HTTPServer
import Synchronization
import TestSupport

/// Parks what comes under `/wait`, answers everything else at once. Bodies tell the path; that of
/// `/long/70000` has so many bytes.
final class ParkingHandler: HTTPHandler {
    let parked = Mutex<[HTTPExchange]>([])
    let isInRound = Atomic<Bool>(false)
    /// Requests that were handled outside of a round.
    let strays = Atomic<Int>(0)

    func roundBegins() { isInRound.store(true, ordering: .relaxed) }
    func roundEnded() { isInRound.store(false, ordering: .relaxed) }

    func admit(_ exchange: HTTPExchange) -> HTTPAdmission { .receive(bytesMax: 1024) }

    func handle(_ exchange: HTTPExchange) {
        if !isInRound.load(ordering: .relaxed) { strays.add(1, ordering: .relaxed) }
        guard exchange.path.hasPrefix("/wait") else { return exchange.respond(answer(exchange)) }
        exchange.park()
        parked.withLock { $0.append(exchange) }
    }

    private func answer(_ exchange: HTTPExchange) -> HTTPResponse {
        let long = exchange.path.hasPrefix("/long/") ? Int(exchange.path.dropFirst(6)) : nil
        return HTTPResponse(
            status: 200, contentType: "text/plain",
            body: long.map(Self.bytes) ?? Array(exchange.path.utf8))
    }

    static func bytes(_ count: Int) -> [UInt8] { [UInt8](repeating: 0x78, count: count) }

    /// Returns when so many have been parked since the last call.
    func take(_ count: Int) async throws -> [HTTPExchange] {
        while parked.withLock({ $0.count }) < count { try await Task.sleep(for: .milliseconds(1)) }
        return parked.withLock { exchanges in
            defer { exchanges = [] }
            return exchanges
        }
    }

    func respond(to exchange: HTTPExchange) { exchange.respond(answer(exchange)) }
}

/// One server with a parking handler, stopped at the end of the test.
final class ParkingServer: Sendable {
    let handler = ParkingHandler()
    let server: HTTPServer

    init() throws {
        server = try HTTPServer(
            settings: HTTPServer.Settings(address: ListenAddress(host: "127.0.0.1", port: 0)),
            handler: handler, log: { _ in })
    }

    deinit { server.stop() }

    func client() throws -> TestHTTPClient { try TestHTTPClient(port: server.address.port) }

    /// The server's thread goes on; each request takes it a round or more.
    func makeRounds(_ count: Int) throws {
        let client = try client()
        for _ in 0..<count { _ = try client.request("GET", "/now") }
    }
}
