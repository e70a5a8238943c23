internal import Alerts
internal import Delivery
internal import HTTPServer
internal import JSON
internal import Ledger
internal import SQLite

// Somebody says that they look at an alert.
extension AlertsHandler {
    /// It is not told again while it fires, and PagerDuty's incident is acknowledged too.
    func acknowledge(
        _ id: String, _ body: [UInt8], respond: @escaping @Sendable (HTTPResponse) -> Void
    ) {
        let key: String
        let by: String
        do throws(APIError) {
            let reader = AnomaliesHandler(services: services)
            by = try reader.text(try reader.object(body, ["by"]), "by")
            let alert = try services.read { database throws(SQLiteError) in
                try AlertTable.alert(id, in: database)
            }
            guard let alert else { throw Self.unknown("alert", id) }
            guard alert.status == .firing else {
                throw APIError(
                    status: 409, code: "not_firing",
                    message: "\(id) does not fire: it is \(alert.status.rawValue)")
            }
            key = alert.dedupKey
        } catch { return respond(error.response) }
        let handler = self
        let recorder = services.deliverer.recorder
        let now = services.ledger.now
        services.write { database throws(SQLiteError) in
            try recorder.acknowledge(key, by: by, in: database, now: now)
        } completion: { isDurable in
            guard isDurable else { return respond(APIServices.unwritable.response) }
            do throws(APIError) {
                respond(try handler.alert(id))
            } catch { respond(error.response) }
        }
    }
}
