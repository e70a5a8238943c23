internal import Wire

/// Why a table could not be read: the line, counted from 1, and what to write instead.
public struct DetectFault: Error, Equatable, Sendable, CustomStringConvertible {
    public let line: Int
    public let message: String

    public var description: String { "line \(line): \(message)" }
}

/// Runs a detector over a table and answers it with the verdicts.
///
///     timestamp,value                  generic    + score,anomaly,expected
///     timestamp,cost,events[,largest]  spend      + anomaly,severity,direction,expected,why
///
/// Columns may stand in any order and beside others. Rows of spend are closed, equal buckets in
/// order of time. A row that is missing is a bucket that is not known: it is not fed.
public struct DetectCSV: Sendable {
    public var policy = SpendPolicy()
    /// Seconds; nil: the smallest distance between two rows.
    public var bucketSeconds: Int64?
    /// Without rules the detector decides, with some only they do.
    public var rules: [SpendRule] = []
    /// Answers only the rows that are anomalies.
    public var writesAnomaliesOnly = false

    public init() {}

    static let columnsMax = 64
    static let lineBytesMax = 64 * 1024

    public func run(_ text: [UInt8]) throws(DetectFault) -> [UInt8] {
        let table = try Table(text)
        var output: [UInt8] = []
        output.reserveCapacity(text.count * 2)
        try table.isSpend ? runSpend(table, &output) : runGeneric(table, &output)
        return output
    }

    private func runGeneric(_ table: Table, _ output: inout [UInt8]) throws(DetectFault) {
        table.appendHead("score,anomaly,expected", to: &output)
        var judge = SeriesJudge()
        for row in table.rows {
            let fields = try table.fields(row)
            let time = try table.time(fields, row)
            let value = try table.number(fields, row, table.value, "value", least: nil)
            let verdict = judge.judge(time: time, value: value)
            if writesAnomaliesOnly, !verdict.isAnomaly { continue }
            table.append(
                row, "\(verdict.score ?? 0),\(verdict.isAnomaly ? 1 : 0),\(verdict.expected)",
                to: &output)
        }
    }

    private func runSpend(_ table: Table, _ output: inout [UInt8]) throws(DetectFault) {
        table.appendHead("anomaly,severity,direction,expected,why", to: &output)
        let model = SpendModel(bucketSeconds: try bucketWidth(table), policy: policy)
        var judge = SeriesJudge(model: model, rules: rules)
        var previous: Int64?
        for row in table.rows {
            let bucket = try bucket(table, row, after: &previous, model)
            let verdict = judge.judge(
                start: bucket.start, cost: bucket.cost, events: bucket.events,
                largest: bucket.largest)
            if writesAnomaliesOnly, !verdict.isAnomaly { continue }
            table.append(
                row,
                "\(verdict.isAnomaly ? 1 : 0),\(verdict.grade?.word ?? "none"),"
                    + "\(verdict.direction),\(verdict.expected),"
                    + (verdict.why.map { "\"\($0)\"" } ?? ""), to: &output)
        }
    }

    private struct Bucket {
        let start: Int64
        let cost: Double
        let events: Double
        let largest: Double
    }

    private func bucket(
        _ table: Table, _ row: Table.Row, after previous: inout Int64?, _ model: SpendModel
    ) throws(DetectFault) -> Bucket {
        let fields = try table.fields(row)
        let time = try table.time(fields, row)
        guard time == time.rounded(.down) else {
            throw DetectFault(line: row.line, message: "a bucket begins at a whole second")
        }
        let start = Int64(time)
        if let previous {
            guard start > previous else {
                throw DetectFault(
                    line: row.line, message: "is not after the row before it; sort by time")
            }
            guard (start - previous) % model.bucketSeconds == 0 else {
                throw DetectFault(
                    line: row.line,
                    message: "is \(start - previous) s after the row before it, which is no "
                        + "multiple of the bucket's \(model.bucketSeconds) s; name the width with "
                        + "--window")
            }
        }
        previous = start
        return Bucket(
            start: start, cost: try table.number(fields, row, table.cost, "cost", least: 0),
            events: try table.number(fields, row, table.events, "events", least: 0),
            largest: table.largest == nil
                ? 0 : try table.number(fields, row, table.largest, "largest", least: 0))
    }

    private func bucketWidth(_ table: Table) throws(DetectFault) -> Int64 {
        if let bucketSeconds { return bucketSeconds }
        var width: Double?
        var previous: Double?
        for row in table.rows {
            let time = try table.time(try table.fields(row), row)
            if let previous, time > previous { width = min(width ?? .infinity, time - previous) }
            previous = time
        }
        guard let width else { return 3600 }
        return max(1, Int64(width))
    }
}

extension DetectCSV {
    /// The rows of a text and which column is what.
    struct Table {
        struct Row {
            /// Counted from 1.
            let line: Int
            let range: Range<Int>
        }

        let text: [UInt8]
        private(set) var rows: [Row] = []
        private let head: Row
        private let columns: Int
        private let timestamp: Int
        let value: Int?
        let cost: Int?
        let events: Int?
        let largest: Int?

        var isSpend: Bool { cost != nil }

        init(_ text: [UInt8]) throws(DetectFault) {
            self.text = text
            var lines = try Self.lines(text)
            guard !lines.isEmpty else {
                throw DetectFault(line: 1, message: "is empty; the first line names the columns")
            }
            head = lines.removeFirst()
            rows = lines
            let names = Self.split(text, head.range).map {
                String(decoding: text[$0], as: UTF8.self).lowercased()
            }
            columns = names.count
            func column(_ spellings: String...) -> Int? {
                names.firstIndex { spellings.contains($0) }
            }
            value = column("value")
            cost = column("cost", "cost_usd")
            events = column("events")
            largest = column("largest", "largest_usd")
            guard let timestamp = column("timestamp", "time"), columns <= DetectCSV.columnsMax,
                value != nil || (cost != nil && events != nil)
            else {
                throw DetectFault(
                    line: head.line,
                    message: "must name the columns: timestamp,value or "
                        + "timestamp,cost,events[,largest]; got "
                        + String(decoding: text[head.range].prefix(100), as: UTF8.self))
            }
            self.timestamp = timestamp
        }

        private static func lines(_ text: [UInt8]) throws(DetectFault) -> [Row] {
            var rows: [Row] = []
            // A byte order mark, as spreadsheets write it.
            var start = text.starts(with: [0xef, 0xbb, 0xbf]) ? 3 : 0
            var line = 1
            while start < text.count {
                let end = text[start...].firstIndex(of: UInt8(ascii: "\n")) ?? text.count
                var last = end
                if last > start, text[last - 1] == UInt8(ascii: "\r") { last -= 1 }
                guard last - start <= DetectCSV.lineBytesMax else {
                    throw DetectFault(
                        line: line, message: "has more than \(DetectCSV.lineBytesMax) bytes")
                }
                if last > start { rows.append(Row(line: line, range: start..<last)) }
                start = end + 1
                line += 1
            }
            return rows
        }

        /// Fields without their quotes. A quote inside a field is not one of ours to read.
        private static func split(_ text: [UInt8], _ range: Range<Int>) -> [Range<Int>] {
            var fields: [Range<Int>] = []
            var start = range.lowerBound
            var isQuoted = false
            for index in range {
                if text[index] == UInt8(ascii: "\"") { isQuoted.toggle() }
                guard text[index] == UInt8(ascii: ","), !isQuoted else { continue }
                fields.append(trim(text, start..<index))
                start = index + 1
            }
            fields.append(trim(text, start..<range.upperBound))
            return fields
        }

        private static func trim(_ text: [UInt8], _ range: Range<Int>) -> Range<Int> {
            var (start, end) = (range.lowerBound, range.upperBound)
            while start < end, text[start] == UInt8(ascii: " ") { start += 1 }
            while end > start, text[end - 1] == UInt8(ascii: " ") { end -= 1 }
            if end - start >= 2, text[start] == UInt8(ascii: "\""),
                text[end - 1] == UInt8(ascii: "\"")
            {
                return start + 1..<end - 1
            }
            return start..<end
        }

        func fields(_ row: Row) throws(DetectFault) -> [Range<Int>] {
            let fields = Self.split(text, row.range)
            guard fields.count == columns else {
                throw DetectFault(
                    line: row.line,
                    message: "has \(fields.count) columns; the first line has \(columns)")
            }
            return fields
        }

        /// Unix seconds.
        func time(_ fields: [Range<Int>], _ row: Row) throws(DetectFault) -> Double {
            let field = text[fields[timestamp]]
            let written = String(decoding: field, as: UTF8.self)
            if let seconds = Double(written), seconds.magnitude < 1e11 { return seconds }
            let nanos =
                RFC3339.read(Array(field).span)
                ?? RFC3339.read(Array((written + "Z").utf8).span)
            if let nanos { return Double(nanos) / 1e9 }
            throw DetectFault(
                line: row.line,
                message: "timestamp \"\(written.prefix(100))\" is no time; write Unix seconds or "
                    + "2026-11-20 10:00:00")
        }

        func number(
            _ fields: [Range<Int>], _ row: Row, _ column: Int?, _ name: String, least: Double?
        ) throws(DetectFault) -> Double {
            let written = column.map { String(decoding: text[fields[$0]], as: UTF8.self) } ?? ""
            guard let number = Double(written), number.isFinite, number.magnitude < 1e15,
                least.map({ number >= $0 }) ?? true
            else {
                throw DetectFault(
                    line: row.line,
                    message: "\(name) \"\(written.prefix(100))\" is not a number"
                        + (least == nil ? "" : " from 0 on"))
            }
            return number
        }

        func appendHead(_ columns: String, to output: inout [UInt8]) {
            append(head, columns, to: &output)
        }

        func append(_ row: Row, _ verdict: String, to output: inout [UInt8]) {
            output.append(contentsOf: text[row.range])
            output.append(UInt8(ascii: ","))
            output.append(verdict)
            output.append(UInt8(ascii: "\n"))
        }
    }
}
