internal import Budgets
internal import HTTPServer
internal import Intake
internal import JSON
internal import Ledger
internal import SQLite
internal import SelfMetrics
internal import Synchronization
internal import Usage
internal import Wire

/// `/v1/check` and `/v1/reservations`: may this call go ahead?
final class AdmissionHandler: Sendable {
    let services: APIServices
    /// A listener has one thread.
    let reader = Mutex(AdmissionReader())
    static let bodyBytesMax = 64 * 1024

    typealias Respond = @Sendable (HTTPResponse) -> Void

    init(services: APIServices) {
        self.services = services
    }

    /// Answers from memory, on the thread that asks.
    func check(_ exchange: HTTPExchange) -> HTTPResponse {
        do throws(APIError) {
            var fields = try fields(exchange)
            let owner = exchange.owner
            let (request, isUnpriced) = try request(&fields, tenant: owner)
            let decision = services.budgets.check(
                request, now: services.ledger.now, isStoreWritable: services.ledger.isWritable)
            return AdmissionAnswer(
                decision: decision, isUnpriced: isUnpriced, owner: owner,
                isStream: decision.verdict == .deny && exchange.acceptsStream,
                ignored: fields.ignored
            ).response
        } catch { return error.response }
    }

    /// Parks the request until the reservation is durable.
    func reserve(_ exchange: HTTPExchange, respond: @escaping Respond) {
        do throws(APIError) {
            var fields = try fields(exchange)
            let (owner, isStream) = (exchange.owner, exchange.acceptsStream)
            let ignored = fields.ignored
            let (request, isUnpriced) = try request(&fields, tenant: owner)
            exchange.park()
            services.reservations.reserve(request, fields) { outcome in
                func answer(_ decision: AdmissionDecision) -> AdmissionAnswer {
                    AdmissionAnswer(
                        decision: decision, isUnpriced: isUnpriced, owner: owner,
                        isStream: isStream, ignored: ignored)
                }
                switch outcome {
                case .denied(let decision), .unsure(let decision):
                    var answer = answer(decision)
                    if case .unsure = outcome { answer.isUnsure = true }
                    respond(answer.response)
                case .granted(let grant):
                    var answer = answer(grant.decision)
                    answer.grant = grant
                    respond(answer.response)
                case .taken: respond(Self.taken.response)
                case .full: respond(Self.full.response)
                }
            }
        } catch { respond(error.response) }
    }

    private static let taken = APIError(
        status: 409, code: "id_taken",
        message:
            "this id stands for another call or for a reservation that has ended; choose a new one")

    private static let full = APIError(
        status: 429, code: "too_many_reservations",
        message: "too many reservations are under way; settle or release some",
        headers: [("Retry-After", "5")])

    func release(_ id: String, owner: String?, respond: @escaping Respond) {
        services.reservations.release(id, tenant: owner) { release in
            switch release {
            case .unwritable: respond(APIServices.unwritable.response)
            case .unknown: respond(Self.unknown(id).response)
            case .ended(.settled): respond(Self.settled.response)
            case .ended(let phase): respond(Self.ended(id, phase.rawValue))
            }
        }
    }

    private static func unknown(_ id: String) -> APIError {
        AlertsHandler.unknown("reservation", id)
    }

    private static let settled = APIError(
        status: 409, code: "settled", message: "this reservation is settled; its cost is recorded")

    private static func ended(_ id: String, _ status: String) -> HTTPResponse {
        .json(
            JSONWriter.object { json in
                json.add("id", id)
                json.add("status", status)
            })
    }
}

// A settlement is an event: the reservation's dimensions, the call's actual usage.
extension AdmissionHandler {
    func settle(_ exchange: HTTPExchange, _ id: String, respond: @escaping Respond) {
        let owner = exchange.owner
        do throws(APIError) {
            let json = try exchange.takeJSON(bytesMax: Self.bodyBytesMax)
            guard let members = json.members else {
                throw APIError.notAnObject
            }
            exchange.park()
            if let record = services.reservations.live(id) {
                return settle(id, record, members, owner: owner, respond: respond)
            }
            // It has ended, or was made before a restart that could not read it.
            let isTaken = services.control.submit { [self] in
                do throws(APIError) {
                    let now = services.ledger.now
                    let record = try services.read { database throws(SQLiteError) in
                        try Reservations.record(id, in: database, now: now)
                    }
                    guard let record else { throw Self.unknown(id) }
                    settle(id, record, members, owner: owner, respond: respond)
                } catch { respond(error.response) }
            }
            if !isTaken { respond(APIServices.busy.response) }
        } catch { respond(error.response) }
    }

    private func settle(
        _ id: String, _ record: Reservations.Record,
        _ members: [(key: String, value: JSONValue)], owner: String?, respond: @escaping Respond
    ) {
        guard owner == nil || owner == record.tenant else {
            return respond(Self.unknown(id).response)
        }
        var body = Self.event(id, record, members)
        services.intake.read(&body, from: .http) { report, outcome in
            guard outcome.failure == nil, outcome.accepted + outcome.duplicates > 0 else {
                return respond(EventsAnswer(report: report, outcome: outcome).response)
            }
            respond(
                .json(
                    JSONWriter.object { json in
                        json.add("id", id)
                        json.add("status", "settled")
                        json.add("duplicate", outcome.accepted == 0)
                        json.add(ignored: report.unknownFields)
                    }))
        }
    }

    /// The settlement as an event of the reservation's id: repeated, it is a duplicate.
    private static func event(
        _ id: String, _ record: Reservations.Record, _ members: [(key: String, value: JSONValue)]
    ) -> [UInt8] {
        var merged: [(key: String, value: JSONValue)] = []
        let stored = (try? JSONValue.read(record.body))?.members ?? []
        for member in stored + members where !["id", "reservation", "tenant"].contains(member.key) {
            merged.removeAll { $0.key == member.key }
            merged.append(member)
        }
        merged.append(("tenant", .string(record.tenant)))
        merged.append(("id", .string(id)))
        merged.append(("reservation", .string(id)))
        var bytes: [UInt8] = []
        JSONValue.object(merged).append(to: &bytes)
        return bytes
    }
}

extension JSONValue {
    /// As JSON again; numbers as they were written.
    func append(to bytes: inout [UInt8]) {
        switch self {
        case .null: bytes.append("null" as StaticString)
        case .boolean(let flag): bytes.append(flag ? "true" : "false")
        case .number(let literal): bytes.append(literal)
        case .string(let text): bytes.appendJSONString(text)
        case .array(let items):
            for (index, item) in items.enumerated() {
                bytes.append(UInt8(ascii: index == 0 ? "[" : ","))
                item.append(to: &bytes)
            }
            bytes.append(items.isEmpty ? "[]" : "]")
        case .object(let members):
            for (index, member) in members.enumerated() {
                bytes.append(UInt8(ascii: index == 0 ? "{" : ","))
                bytes.appendJSONString(member.key)
                bytes.append(UInt8(ascii: ":"))
                member.value.append(to: &bytes)
            }
            bytes.append(members.isEmpty ? "{}" : "}")
        }
    }
}
