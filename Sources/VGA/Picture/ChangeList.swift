// SPDX-License-Identifier: GPL-2.0-or-later

import Display

/// Rectangles that were drawn, to be told to the surface when it is no longer locked. Neighbours from top to
/// bottom grow together.
struct ChangeList {
  private var rectangles: [PixelRectangle] = []
  /// The last one, which may still grow; empty if there is none.
  private var left = 0
  private var right = 0
  private var top = 0
  private var bottom = 0

  /// Adds a rectangle that is no higher up than the last one.
  mutating func add(x: Range<Int>, y: Range<Int>) {
    if bottom > top && y.lowerBound == bottom {
      left = min(left, x.lowerBound)
      right = max(right, x.upperBound)
    } else {
      endRectangle()
      (left, right, top) = (x.lowerBound, x.upperBound, y.lowerBound)
    }
    bottom = y.upperBound
  }

  private mutating func endRectangle() {
    guard bottom > top else { return }
    rectangles.append(PixelRectangle(x: left, y: top, width: right - left, height: bottom - top))
    bottom = top
  }

  /// Tells the surface, and forgets all of them.
  mutating func tell(_ surface: DisplaySurface) {
    endRectangle()
    // By index: an iterator would hold the array, which then could not keep its memory.
    for index in rectangles.indices { surface.changed(rectangles[index]) }
    rectangles.removeAll(keepingCapacity: true)
  }
}
