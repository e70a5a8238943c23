internal import Wire

/// Reads our own page, so that what is pushed is by construction what is scraped.
///
///     # TYPE costgauge_cost_usd counter
///     costgauge_cost_usd_total{tenant="a"} 0.5          a sample: suffix, labels, value
///     costgauge_cost_usd_created{tenant="a"} 1795...    when the sample before began
struct MetricsPageReader {
    enum Kind { case counter, gauge, histogram, other }

    struct Family {
        var name = 0..<0
        var kind = Kind.other
        var points: [Point] = []
    }

    /// One series; of a histogram with all its buckets.
    struct Point {
        /// Between the braces; of a histogram without `le`.
        var labels = 0..<0
        var value = 0..<0
        var startNanos: Int64 = 0
        /// Upper bounds and cumulative counts.
        var buckets: [(bound: Range<Int>, count: Int64)] = []
        var count: Int64 = 0
    }

    private var families: [Family] = []

    static func read(_ page: Span<UInt8>) -> [Family] {
        var reader = MetricsPageReader()
        var start = 0
        while start < page.count {
            var end = start
            while end < page.count, page[end] != UInt8(ascii: "\n") { end += 1 }
            reader.readLine(page, start..<end)
            start = end + 1
        }
        return reader.families
    }

    private mutating func readLine(_ page: Span<UInt8>, _ line: Range<Int>) {
        guard !line.isEmpty else { return }
        if page[line.lowerBound] == UInt8(ascii: "#") {
            readComment(page, line)
        } else if !families.isEmpty {
            readSample(page, line)
        }
    }

    private mutating func readComment(_ page: Span<UInt8>, _ line: Range<Int>) {
        let text = page.extracting(line)
        guard text.hasPrefix("# TYPE ") else { return }
        let start = line.lowerBound + 7
        var end = start
        while end < line.upperBound, page[end] != UInt8(ascii: " ") { end += 1 }
        guard end < line.upperBound else { return }
        let kind = page.extracting(end + 1..<line.upperBound)
        families.append(
            Family(
                name: start..<end,
                kind: kind.equals("counter")
                    ? .counter
                    : kind.equals("gauge") ? .gauge : kind.equals("histogram") ? .histogram : .other
            ))
    }

    private mutating func readSample(_ page: Span<UInt8>, _ line: Range<Int>) {
        let last = families.count - 1
        let suffixStart = line.lowerBound + families[last].name.count
        var at = suffixStart
        while at < line.upperBound, page[at] != UInt8(ascii: "{"), page[at] != UInt8(ascii: " ") {
            at += 1
        }
        guard at < line.upperBound else { return }
        let suffix = page.extracting(suffixStart..<at)
        var labels = at..<at
        if page[at] == UInt8(ascii: "{") {
            guard let close = Self.closingBrace(page, at + 1, line.upperBound) else { return }
            labels = at + 1..<close
            at = close + 1
        }
        let value = at + 1..<line.upperBound
        guard !value.isEmpty else { return }
        if suffix.equals("_created") {
            let created = FixedPoint.read(page.extracting(value), scale: 9)
            if case .value(let nanos) = created, let index = families[last].points.indices.last {
                families[last].points[index].startNanos = nanos
            }
        } else if families[last].kind == .histogram {
            readHistogram(page, suffix: suffix, labels: labels, value: value)
        } else {
            families[last].points.append(Point(labels: labels, value: value))
        }
    }

    private mutating func readHistogram(
        _ page: Span<UInt8>, suffix: Span<UInt8>, labels: Range<Int>, value: Range<Int>
    ) {
        let last = families.count - 1
        let count = Int64(page.extracting(value))
        if suffix.equals("_bucket") {
            guard let le = Self.bound(page, labels) else { return }
            var index = families[last].points.count - 1
            if index < 0 || families[last].points[index].count >= 0 {
                families[last].points.append(Point(labels: labels.lowerBound..<le.start, count: -1))
                index += 1
            }
            families[last].points[index].buckets.append((le.value, count ?? 0))
            return
        }
        guard let index = families[last].points.indices.last else { return }
        if suffix.equals("_sum") { families[last].points[index].value = value }
        if suffix.equals("_count") { families[last].points[index].count = count ?? 0 }
    }

    /// `le` stands last: where it begins, with the comma before it, and its value.
    private static func bound(
        _ page: Span<UInt8>, _ labels: Range<Int>
    ) -> (start: Int, value: Range<Int>)? {
        var start = labels.upperBound - 1
        guard start > labels.lowerBound, page[start] == UInt8(ascii: "\"") else { return nil }
        let end = start
        start -= 1
        while start > labels.lowerBound, page[start] != UInt8(ascii: "\"") { start -= 1 }
        let key = start - 3
        guard key >= labels.lowerBound, page.extracting(key..<start).equals("le=") else {
            return nil
        }
        return (key > labels.lowerBound ? key - 1 : key, start + 1..<end)
    }

    /// Braces inside quotes are text.
    private static func closingBrace(_ page: Span<UInt8>, _ start: Int, _ end: Int) -> Int? {
        var at = start
        var isQuoted = false
        while at < end {
            switch page[at] {
            case UInt8(ascii: "\\") where isQuoted: at += 1
            case UInt8(ascii: "\""): isQuoted.toggle()
            case UInt8(ascii: "}") where !isQuoted: return at
            default: break
            }
            at += 1
        }
        return nil
    }
}

extension Int64 {
    init?(_ digits: Span<UInt8>) {
        guard case .value(let value) = FixedPoint.read(digits, scale: 0) else { return nil }
        self = value
    }
}
