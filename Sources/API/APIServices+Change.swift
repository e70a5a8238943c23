public import Alerts
public import Budgets
public import Governance
internal import HTTPServer
internal import JSON
internal import Ledger
internal import SQLite
internal import Synchronization
internal import Wire

/// What changes by request are kept in.
public struct GovernanceServices: Sendable {
    let log: GovernanceLog
    let silences: Silences
    let budgets: BudgetCatalogue
    let random: @Sendable () -> UInt64

    public init(
        log: GovernanceLog, silences: Silences, budgets: BudgetCatalogue,
        random: @escaping @Sendable () -> UInt64
    ) {
        self.log = log
        self.silences = silences
        self.budgets = budgets
        self.random = random
    }
}

extension APIServices {
    /// What a change decides on the writer's thread: its answer, or why nothing was changed.
    typealias Change =
        @Sendable (_ database: borrowing Database, _ now: Int64) throws(SQLiteError)
        -> Result<HTTPResponse, APIError>

    /// Has the writer run a job for somebody who waits: it fails at once while the store cannot be
    /// written.
    func write(_ job: @escaping StoreJob, completion: @escaping @Sendable (Bool) -> Void) {
        guard ledger.isWritable else { return completion(false) }
        ledger.write(job, completion: completion)
    }

    /// Makes a change in a transaction of the writer; answers once it is committed, and with 503 at
    /// once while the store cannot be written.
    ///
    /// - Parameter ended: called on the writer's thread before the answer.
    func change(
        afterCheckpoint: Bool = false, respond: @escaping @Sendable (HTTPResponse) -> Void,
        ended: @escaping @Sendable (_ isDurable: Bool) -> Void = { _ in },
        _ change: @escaping Change
    ) {
        let outcome = Kept<Result<HTTPResponse, APIError>>()
        let ledger = ledger
        // Of another change may wait what `ended` would drop.
        guard ledger.isWritable else { return respond(Self.unwritable.response) }
        ledger.write(afterCheckpoint: afterCheckpoint) { database throws(SQLiteError) in
            let result = try change(database, ledger.now)
            outcome.value.withLock { $0 = result }
        } completion: { isDurable in
            ended(isDurable)
            guard isDurable, let result = outcome.value.withLock({ $0 }) else {
                return respond(Self.unwritable.response)
            }
            switch result {
            case .success(let response): respond(response)
            case .failure(let error): respond(error.response)
            }
        }
    }
}

/// What a job found, for its completion; both run on the writer's thread, one after the other.
final class Kept<Value: Sendable>: Sendable {
    let value = Mutex<Value?>(nil)
}

/// `If-Match` and `If-None-Match` of a request that changes something (RFC 9110, section 13).
struct Precondition: Sendable {
    private let match: String?
    private let noneMatch: String?

    /// Before the exchange is parked.
    init(_ exchange: HTTPExchange) {
        match = exchange.header("If-Match")
        noneMatch = exchange.header("If-None-Match")
    }

    /// - Parameter current: the version that is stored; nil: there is none.
    func check(_ current: Int64?) throws(APIError) {
        if let match, !Self.holds(match, current) {
            throw APIError(
                status: 412, code: "changed_meanwhile",
                message: current == nil
                    ? "If-Match asks for a version, and there is none"
                    : "it was changed since; read it again and repeat the change with its ETag")
        }
        if let noneMatch, Self.holds(noneMatch, current) {
            throw APIError(
                status: 412, code: "exists", message: "it exists, and If-None-Match excludes that")
        }
    }

    private static func holds(_ header: String, _ current: Int64?) -> Bool {
        guard let current else { return false }
        return header.split(separator: ",").contains { tag in
            let tag = tag.trimmed
            return tag == "*" || tag == "\"\(current)\"" || tag == "W/\"\(current)\""
        }
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        var text = self
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return text
    }
}

extension HTTPResponse {
    /// With the version as its entity tag.
    static func json(_ bytes: [UInt8], status: Int = 200, version: Int64) -> HTTPResponse {
        var response = json(bytes, status: status)
        response.headers.append(("ETag", "\"\(version)\""))
        return response
    }

    static let deleted = HTTPResponse(status: 204, contentType: "application/json", body: [])
}

extension APIError {
    static let methodNotAllowed = APIError(
        status: 405, code: "method_not_allowed", message: "this path does not answer that")

    static func field(_ name: String, _ message: String) -> APIError {
        APIError(
            status: 400, code: "bad_field", message: "\(name) \(message)",
            members: "\"field\":\"\(name)\"")
    }
}

extension JSONValue {
    /// Refuses what is no object, or has members that nobody reads.
    func checkMembers(_ known: [String]) throws(APIError) {
        guard let members else {
            throw APIError(
                status: 400, code: "malformed_json", message: "the body must be one JSON object")
        }
        guard let unknown = members.first(where: { !known.contains($0.key) }) else { return }
        throw APIError(
            status: 400, code: "unknown_field",
            message: "there is no \"\(unknown.key.prefix(100))\"; there are "
                + known.joined(separator: ", "))
    }

    /// A text of at most so many bytes; empty when it is missing.
    func text(_ name: String, bytesMax: Int) throws(APIError) -> String {
        guard let value = self[name], value != .null else { return "" }
        guard let text = value.string, text.utf8.count <= bytesMax else {
            throw .field(name, "must be a text of at most \(bytesMax) bytes")
        }
        return text
    }

    /// Unix nanoseconds of an RFC 3339 time; nil when it is missing.
    func time(_ name: String) throws(APIError) -> Int64? {
        guard let value = self[name], value != .null else { return nil }
        guard let text = value.string, let nanos = RFC3339.read(Array(text.utf8).span) else {
            throw .field(name, "must be a time such as 2026-12-24T18:00:00Z")
        }
        return nanos
    }
}
