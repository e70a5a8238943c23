internal import PriceData
internal import Wire

/// The price list that travels inside the binary; see NOTICE lines in LICENSE for its sources.
public enum BuiltInPrices {
    /// 2026-11-20T00:00:00Z, the day on which the list was checked.
    public static let timestamp: Int64 = 1_795_132_800

    public static func book() -> PriceBook {
        let bytes = unsafe UnsafeBufferPointer(
            start: costgauge_price_data_start(), count: costgauge_price_data_size)
        var table = CSVTable(unsafe Array(bytes))
        var rows: [PriceRow] = []
        while let line = table.next() { rows.append(row(line)) }
        return PriceBook(rows: rows, timestamp: timestamp)
    }

    private static func row(_ line: CSVTable.Line) -> PriceRow {
        var row = PriceRow(provider: line["provider"], model: line["model"])
        row.input = perMillion(line["input_usd_per_mtok"])
        row.cachedInput = perMillion(line["cached_input_usd_per_mtok"])
        row.cacheWrite = perMillion(line["cache_write_usd_per_mtok"])
        row.output = perMillion(line["output_usd_per_mtok"])
        row.reasoning = perMillion(line["reasoning_output_usd_per_mtok"])
        row.audioInput = perMillion(line["audio_input_usd_per_mtok"])
        row.audioOutput = perMillion(line["audio_output_usd_per_mtok"])
        let otherUnits = [
            "usd_per_query", "usd_per_input_second", "usd_per_output_second",
            "usd_per_input_character",
        ]
        // Rerankers list a token rate of 0 beside their price per query.
        row.hasOtherUnits =
            otherUnits.contains { !line[$0].isEmpty } && (row.input ?? 0) == 0
            && (row.output ?? 0) == 0
        for pair in line["extra"].split(separator: ";") {
            let parts = pair.split(separator: "=", maxSplits: 1)
            guard parts.count == 2 else { continue }
            let milli = decimal(String(parts[1]), scale: 3, isOptional: true)
            if parts[0] == "default_vcpu" { row.defaultVCPUMilli = UInt32(clamping: milli ?? 0) }
            if parts[0] == "default_ram_gib" { row.defaultGiBMilli = UInt32(clamping: milli ?? 0) }
        }
        row.vcpuSecond = perUnit(line["usd_per_vcpu_second"])
        row.gibSecond = perUnit(line["usd_per_gib_ram_second"])
        return row
    }

    private static func perMillion(_ text: String) -> Int64? {
        decimal(text, scale: PriceRow.rateScale - 6)
    }

    private static func perUnit(_ text: String) -> Int64? {
        decimal(text, scale: PriceRow.rateScale)
    }

    private static func decimal(
        _ text: String, scale: Int, isOptional: Bool = false
    ) -> Int64? {
        guard !text.isEmpty else { return nil }
        if isOptional {
            guard case .value(let value) = FixedPoint.read(Array(text.utf8).span, scale: scale)
            else { return nil }
            return value
        }
        guard case .value(let value) = FixedPoint.read(Array(text.utf8).span, scale: scale) else {
            preconditionFailure("BUG: the built-in price \"\(text)\" is no decimal")
        }
        return value
    }
}

/// Comma-separated values with quotes doubled inside quotes (RFC 4180); the first line names the
/// columns.
struct CSVTable {
    struct Line {
        let columns: [String: Int]
        let cells: [String]

        /// Empty when the column is absent.
        subscript(column: String) -> String {
            guard let index = columns[column], index < cells.count else { return "" }
            return cells[index]
        }
    }

    private let bytes: [UInt8]
    private var at = 0
    private var columns: [String: Int] = [:]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        for (index, name) in (cells() ?? []).enumerated() { columns[name] = index }
    }

    mutating func next() -> Line? {
        cells().map { Line(columns: columns, cells: $0) }
    }

    private mutating func cells() -> [String]? {
        guard at < bytes.count else { return nil }
        var cells: [String] = []
        while true {
            cells.append(cell())
            guard at < bytes.count else { return cells }
            let separator = bytes[at]
            at += 1
            if separator == UInt8(ascii: "\r") { continue }
            if separator == UInt8(ascii: "\n") { return cells }
        }
    }

    private mutating func cell() -> String {
        guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else {
            let start = at
            while at < bytes.count, bytes[at] != UInt8(ascii: ","), bytes[at] != UInt8(ascii: "\n")
            {
                at += 1
            }
            return String(decoding: bytes[start..<at], as: UTF8.self)
        }
        var text: [UInt8] = []
        at += 1
        while at < bytes.count {
            if bytes[at] == UInt8(ascii: "\"") {
                at += 1
                guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else { break }
            }
            text.append(bytes[at])
            at += 1
        }
        return String(decoding: text, as: UTF8.self)
    }
}
