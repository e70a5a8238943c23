internal import Ledger
internal import Usage
internal import Wire

// The parameters of queries for spend.
extension Query {
    static let groupsMax = 3
    static let secondsPerDay: Int64 = 86_400

    /// A moment in Unix nanoseconds: RFC 3339, a date (its first moment in UTC), Unix seconds, or a
    /// duration such as `7d` for so long before `now`.
    func moment(_ name: String, now: Int64) throws(APIError) -> Int64? {
        guard let text = text(name) else { return nil }
        if let age = Self.seconds(text) { return now - age * 1_000_000_000 }
        if let moment = RFC3339.read(Array(text.utf8).span) { return moment }
        if let day = RFC3339.read(Array((text + "T00:00:00Z").utf8).span) { return day }
        if let seconds = Int64(text), (0...4_000_000_000).contains(seconds) {
            return seconds * 1_000_000_000
        }
        throw APIError(
            status: 400, code: "bad_parameter",
            message: "\(name): \"\(text.prefix(100))\" is no time; write 2026-11-01, "
                + "2026-11-01T10:00:00Z or 7d")
    }

    /// The seconds of `15m`, `6h`, `7d` or `4w`.
    static func seconds(_ text: String) -> Int64? {
        let units: [Character: Int64] = [
            "s": 1, "m": 60, "h": 3600, "d": secondsPerDay, "w": 7 * secondsPerDay,
        ]
        guard let unit = text.last.flatMap({ units[$0] }), let number = Int64(text.dropLast()),
            number > 0, number <= 3660 * secondsPerDay / unit
        else { return nil }
        return number * unit
    }

    func groupBy() throws(APIError) -> [Dimension] {
        var dimensions: [Dimension] = []
        for word in (text("group_by") ?? "").split(separator: ",") {
            guard let dimension = SpendQuery.groupable.first(where: { $0.description == word })
            else {
                throw Self.badGroups("\"\(word.prefix(100))\" \(Self.unknownDimension(word))")
            }
            guard !dimensions.contains(dimension) else {
                throw Self.badGroups("\"\(word)\" is named twice; name it once")
            }
            dimensions.append(dimension)
        }
        guard dimensions.count <= Self.groupsMax else {
            throw Self.badGroups(
                "names \(dimensions.count) dimensions; name up to \(Self.groupsMax)")
        }
        return dimensions
    }

    private static func unknownDimension(_ word: Substring) -> String {
        let words = SpendQuery.groupable.map(\.description)
        let guess = Guess.nearest(to: String(word.prefix(100)), among: words)
        return "cannot be grouped by; " + (guess.map { "did you mean \($0)? " } ?? "")
            + "there are " + words.joined(separator: ", ")
    }

    private static func badGroups(_ message: String) -> APIError {
        APIError(status: 400, code: "bad_parameter", message: "group_by: " + message)
    }

    func step() throws(APIError) -> Int64? {
        guard let text = text("step") else { return nil }
        let unit = SpendQuery.stepUnit
        if let seconds = Self.seconds(text), seconds % unit == 0,
            seconds <= 366 * Self.secondsPerDay
        {
            return seconds
        }
        throw APIError(
            status: 400, code: "bad_parameter",
            message:
                "step: \"\(text.prefix(100))\" is no multiple of 15m up to 366d; write 1h or 1d")
    }

    /// The values that the query asks for, by parameters named like dimensions.
    func filters() -> [(dimension: Dimension, value: String)] {
        SpendQuery.groupable.compactMap { dimension in
            text(dimension.description).map { (dimension, $0) }
        }
    }

    /// The place in a list that is paged by position.
    func start(max: Int) throws(APIError) -> Int {
        guard let text = text("cursor") else { return 0 }
        guard let start = Int(text), (0...max).contains(start) else { throw Self.badCursor }
        return start
    }
}
