void greet(unsigned i);
