// SPDX-License-Identifier: GPL-2.0-or-later

import Display

/// Rectangles that were drawn, to be told to the surface when it is no longer locked. Neighbours from top to
/// bottom grow together.
struct ChangeList {
  private(set) var rectangles: [PixelRectangle] = []

  /// Adds a rectangle that is no higher up than the last one.
  mutating func add(_ rectangle: PixelRectangle) {
    guard let last = rectangles.last, last.y + last.height == rectangle.y else {
      return rectangles.append(rectangle)
    }
    let left = min(last.x, rectangle.x)
    let right = max(last.x + last.width, rectangle.x + rectangle.width)
    rectangles[rectangles.count - 1] = PixelRectangle(
      x: left, y: last.y, width: right - left, height: last.height + rectangle.height)
  }

  /// Forgets all of them, and keeps the memory.
  mutating func removeAll() { rectangles.removeAll(keepingCapacity: true) }
}
