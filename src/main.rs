fn main() {
    // A helper process is this same binary: before anything else looks at arguments or makes a thread.
    barepod::runtime::container::helper_main_if_asked();
}
