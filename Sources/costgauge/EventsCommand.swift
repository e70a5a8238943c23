internal import Glibc
internal import Ledger
internal import SQLite
internal import Usage

enum EventsCommand: Command {
    static let name = "events"
    static let summary = "prints the raw events as NDJSON, oldest arrival first"
    static let flags = QueryFlags.flags + [Flag("limit", "N", "at most N events")]

    static func run(_ arguments: Arguments) throws -> Int32 {
        let flags = try QueryFlags(arguments, now: SystemTime().unixNanos)
        var limit: Int?
        if let text = arguments["limit"] {
            guard let count = Int(text), count >= 0 else {
                throw UsageError(description: "--limit: \"\(text)\" is not a number from 0 on")
            }
            limit = count
        }
        let database = try flags.open()
        signal(SIGPIPE, SIG_IGN)
        let query = EventsQuery(
            since: flags.since, until: flags.until, filters: flags.filters, limit: limit)
        try query.run(on: database) { write($0, to: STDOUT_FILENO) }
        return 0
    }
}
