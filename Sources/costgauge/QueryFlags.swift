internal import Configuration
internal import Ledger
internal import SQLite
internal import Sidecar
internal import Store
internal import Usage
internal import Wire

/// The flags that `report` and `events` share: where the data is and which part of it is meant.
struct QueryFlags {
    static let flags =
        [
            Flag("storage.path", "DIR", "data directory, live or not (default ./costgauge-data)"),
            Flag(
                "since", "TIME", "from then on: 2026-11-01, RFC 3339, or 7d for the last seven days"
            ),
            Flag("until", "TIME", "before then"),
        ]
        + dimensions.map { Flag($0.description, "VALUE", "only events with this \($0)") }

    private static let dimensions: [Dimension] = [
        .tenant, .user, .feature, .agent, .operation, .provider, .model, .status,
    ]

    let since: Int64?
    let until: Int64?
    let filters: [(dimension: Dimension, value: String)]
    private let path: String

    init(_ arguments: Arguments, now: Int64) throws(UsageError) {
        path = arguments["storage.path"] ?? "./costgauge-data"
        since = try Self.moment(arguments, "since", now)
        until = try Self.moment(arguments, "until", now)
        filters = Self.dimensions.compactMap { dimension in
            arguments[dimension.description].map { (dimension, $0) }
        }
        if let empty = filters.first(where: { $0.value.isEmpty }) {
            throw UsageError(
                description: "--\(empty.dimension) is empty; give it a value or leave it out")
        }
    }

    func open() throws(StoreError) -> Database {
        try DataDirectory.openForReading(path: path, schema: .current)
    }

    /// A date means its first moment in UTC, a duration means so long ago.
    private static func moment(
        _ arguments: Arguments, _ name: String, _ now: Int64
    ) throws(UsageError) -> Int64? {
        guard let text = arguments[name] else { return nil }
        if let age = DurationText.nanos(text) { return now - age }
        if let moment = RFC3339.read(Array(text.utf8).span) { return moment }
        if let day = RFC3339.read(Array((text + "T00:00:00Z").utf8).span) { return day }
        throw UsageError(
            description: "--\(name): \"\(text)\" is no time; write 2026-11-01, "
                + "2026-11-01T10:00:00Z or 7d")
    }
}
