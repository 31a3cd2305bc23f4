// Exceptions through frames with clean-up, and calls through tables and closures.
#include "shadow.h"
#include <algorithm>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

static volatile long sink;

struct Guard {
	std::string text;
	SILENT explicit Guard(int n) : text(static_cast<size_t>(n % 100 + 1), 'x') {}
	SILENT ~Guard() { sink += static_cast<long>(text.size()); }
};

struct Shape {
	virtual ~Shape() = default;
	virtual void work_draw(int n) = 0;
};

void work_throw(int n)
{
	Guard guard(n);
	if (n <= 0) {
		mine->unsure = 1;
		throw std::runtime_error(std::string("bottom ") + guard.text);
	}
	work_throw(n - 1);
	sink += n;
}

struct Circle : Shape {
	void work_draw(int n) override
	{
		long depth = mine->depth;
		try {
			work_throw(n % 20);
		} catch (const std::exception &error) {
			shadow_rewind(depth);
			mine->unsure = 0;
			sink += static_cast<long>(std::string(error.what()).size());
		}
	}
};

bool work_less(int a, int b)
{
	sink += a;
	return a < b;
}

void work_sort(int n)
{
	std::vector<int> values(300);
	for (size_t i = 0; i < values.size(); i++)
		values[i] = static_cast<int>(i * 7919) % (n + 10);
	std::sort(values.begin(), values.end(), work_less);
	std::function<void(int)> closure = [&](int m) SILENT { sink += values[static_cast<size_t>(m) % 300]; };
	closure(n);
}

void work_round(Shape *shape, int n)
{
	if (n % 2)
		shape->work_draw(n);
	else
		work_sort(n);
}

static SILENT void run()
{
	Circle circle;
	shadow_begin();
	for (int n = 0;; n = (n + 1) % 1000) {
		work_round(&circle, n);
		usleep(500);
	}
}

SILENT int main()
{
	std::vector<std::thread> threads;
	for (int i = 0; i < 8; i++)
		threads.emplace_back(run);
	while (shadow_count < 8)
		usleep(1000);
	shadow_report();
	for (;;)
		pause();
}
