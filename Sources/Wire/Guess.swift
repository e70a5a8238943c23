/// What a mistyped word was meant to be.
public enum Guess {
    /// So many letters may be wrong, missing or too many.
    public static let distanceMax = 2

    /// The word that is nearest to `text`, if some letters of it are right; of two as near, the
    /// first by the alphabet. Case and the marks `-`, `_` and `.` make no difference.
    public static func nearest(to text: String, among words: some Sequence<String>) -> String? {
        let folded = fold(text)
        let most = min(distanceMax, folded.count - 1)
        var best: (distance: Int, word: String)?
        for word in words {
            let other = fold(word)
            guard abs(other.count - folded.count) <= most else { continue }
            let found = (distance: distance(folded, other), word: word)
            if found.distance <= most, best.map({ found < $0 }) ?? true { best = found }
        }
        return best?.word
    }

    private static func fold(_ text: String) -> [UInt8] {
        text.lowercased().utf8.map { [0x2d, 0x2e, 0x5f].contains($0) ? 0x2d : $0 }
    }

    /// Levenshtein's, in bytes.
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var row = Array(0...right.count)
        for (i, a) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, b) in right.enumerated() {
                let above = row[j + 1]
                row[j + 1] = min(above + 1, row[j] + 1, diagonal + (a == b ? 0 : 1))
                diagonal = above
            }
        }
        return row[right.count]
    }
}
