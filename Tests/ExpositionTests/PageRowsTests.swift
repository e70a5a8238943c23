import TestSupport
import Testing
import Wire

@testable import Exposition

@Suite struct PageRowsTests {
    private static let family = MetricFamily("f", .counter, "Help.")

    private static func writer(created: Bool) -> PageWriter {
        var page = PageWriter(
            format: .openMetrics(echoesEscaping: false), writesCreated: created, bytesExpected: 0)
        page.begin(family)
        return page
    }

    /// Rows of three values and a fourth that tells what is shown.
    private static func rows(_ count: Int, _ random: inout SeededRandom) -> SampleRows {
        var labels = LabelText()
        var values: [Int64] = []
        var created: [Int64] = []
        for row in 0..<count {
            labels.append(
                random.below(5) == 0 ? [] : Array("a=\"\(row)\",b=\"\(random.below(1000))\"".utf8))
            for _ in 0..<3 {
                values.append(Int64(random.below(1 << 40)) >> Int64(random.below(40)))
            }
            values.append(Int64(random.below(8)))
            created.append(Int64(random.below(4)) * 500_000_000 + 1_795_168_800_000_000_000)
        }
        return SampleRows(labels: labels, values: values, width: 4, shown: 3, created: created)
    }

    /// The same samples, one by one.
    private static func plain(
        _ rows: SampleRows, _ columns: [SampleColumn], created: Bool
    ) -> String {
        var page = writer(created: created)
        for row in 0..<rows.count {
            let values = rows.values[row * 4..<row * 4 + 4].map(\.self)
            for column in columns {
                let parts = (0..<3).filter { (column.values & values[3]) >> Int64($0) & 1 != 0 }
                if parts.isEmpty { continue }
                let value = parts.reduce(0) { $0 + values[$1] }
                page.sample(rows.labels[row], extra: column.extra) {
                    FixedPoint.append(value, scale: column.isAmount ? 9 : 0, to: &$0)
                }
                page.created(rows.labels[row], extra: column.extra, unixNanos: rows.created[row])
            }
        }
        return page.bytes.text
    }

    @Test(arguments: [0, 1, 63, 64, 65, 300], [false, true])
    func `rows are written as their samples one by one`(count: Int, created: Bool) {
        var random = SeededRandom(seed: UInt64(count))
        let rows = Self.rows(count, &random)
        let kind = Array("kind=\"x\"".utf8)
        for columns in [
            [SampleColumn(values: 1, extra: [], isAmount: true)],
            [SampleColumn(values: 0b111, extra: [], isAmount: false)],
            [
                SampleColumn(values: 0b10, extra: kind, isAmount: false),
                SampleColumn(values: 0b101, extra: kind, isAmount: true),
            ],
        ] {
            var page = Self.writer(created: created)
            page.samples(rows, columns)
            #expect(page.bytes.text == Self.plain(rows, columns, created: created))
        }
    }

    @Test func `labels of rows that came later are left alone`() {
        var random = SeededRandom(seed: 5)
        let all = Self.rows(100, &random)
        let first = SampleRows(
            labels: all.labels, values: Array(all.values[..<(70 * 4)]), width: 4, shown: 3,
            created: Array(all.created[..<70]))
        let columns = [SampleColumn(values: 0b111, extra: [], isAmount: false)]
        var page = Self.writer(created: false)
        page.samples(first, columns)
        #expect(page.bytes.text == Self.plain(first, columns, created: false))
    }

    @Test func `labels of many rows stand end to end`() {
        var text = LabelText()
        text.append(Array("a".utf8))
        text.append(Array("bccc".utf8), ends: [1, 1, 4])
        let rows = (0..<text.count).map { Array(text[$0]).text }
        #expect(rows == ["a", "b", "", "ccc"])
        #expect(text.bytes(of: 1..<4) == 4 && text.bytes(of: 2..<2) == 0)
    }
}
